import type { Channel, ChannelModule } from '../channel.ts'
import { openAliyun } from './aliyun.ts'
import type { SmsContent } from './content.ts'
import { lintSms } from './lint.ts'
import { type SmsSettings, smsSettings } from './settings.ts'
import { openTwilio } from './twilio.ts'

/** Text messages over one provider. Not idempotent: neither recognises a repeat. */
export const sms: ChannelModule<SmsSettings> = {
  name: 'sms',
  idempotent: false,
  address: 'phone',
  renders: true,
  settings: smsSettings,
  lint: lintSms,
  open: (settings) => openSms(settings),
}

/** @param deadline milliseconds a send may take; each provider has its own */
export function openSms(settings: SmsSettings, deadline?: number): Channel<string, SmsContent> {
  return settings.provider === 'aliyun' ? openAliyun(settings, deadline) : openTwilio(settings, deadline)
}
