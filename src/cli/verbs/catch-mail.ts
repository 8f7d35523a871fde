import { type MailCatcher, openCatcher } from '../../channels/email/catcher.ts'
import { LOOPBACK } from '../../channels/private-hosts.ts'
import { messageOf, WinbackError } from '../../errors.ts'
import type { DatabaseContext } from '../workspace.ts'

/**
 * The mail server of `start --catch-mail`: at the very place where channels.email sends to. It is asked for by each
 * start and refused for any other host than this machine, so no setting that is left behind can swallow real mail.
 * @throws WinbackError `start.catch_mail`
 */
export async function catchMail({ loaded, clock }: DatabaseContext): Promise<MailCatcher> {
  const { channels, web } = loaded.definition
  const smtp = channels.email?.smtp
  if (!smtp) {
    throw new WinbackError(
      'start.catch_mail',
      'there is no mail to catch: the workspace has no channels.email',
      {
        remedy: 'Leave --catch-mail out, or add channels.email to winback.yaml.',
      },
    )
  }
  if (!LOOPBACK.includes(smtp.host)) {
    throw new WinbackError(
      'start.catch_mail',
      `channels.email sends to ${smtp.host}, which is another machine: its mail is real, and not caught`,
      { remedy: 'Leave --catch-mail out, or unset SMTP_HOST to send to this machine.' },
    )
  }
  // It is kept in the memory of this process: no other can show it, and what is caught counts as sent.
  if (!web.serve) {
    throw new WinbackError(
      'start.catch_mail',
      'what is caught is shown on the web of this very process, and winback.yaml says `serve: false`',
      { remedy: 'Leave --catch-mail out, or take `serve: false` out of `web` in winback.yaml.' },
    )
  }
  try {
    return await openCatcher(smtp, () => clock.now())
  } catch (cause) {
    throw new WinbackError(
      'start.catch_mail',
      `mail cannot be caught on ${smtp.host}:${smtp.port}: ${messageOf(cause)}`,
      {
        remedy: 'A mail server or catcher listens there already? Then leave --catch-mail out.',
        cause,
      },
    )
  }
}
