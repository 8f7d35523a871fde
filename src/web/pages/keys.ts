import { hash } from 'node:crypto'

// The one script there is, for those who work through a queue: keys that press what stands on the page, and a list that
// stays current. It knows no page. What has `data-key` is pressed by that key, a field is gone into; j and k walk the
// links with `data-row`; Ctrl+Enter sends the form one writes in; what is inside `data-live` is fetched again each half
// minute, also where the script's tag says that keys are off. Without it every one of these is a link, a button or a
// field as anywhere.

export const KEYS = `'use strict'
const writes = (at) => at.matches('textarea, select, input:not([type=radio], [type=checkbox])')
const rows = () => [...document.querySelectorAll('[data-row]')]
const walk = (step) => {
  const all = rows()
  const next = all.indexOf(document.activeElement) + step
  all[Math.max(0, Math.min(all.length - 1, next))]?.focus()
}
const press = (event) => {
  const { key, target } = event
  if (event.isComposing || event.altKey || !(target instanceof Element)) return
  if (key === 'Enter' && (event.ctrlKey || event.metaKey)) {
    const form = target.closest('form') ?? document.querySelector('form[data-main]')
    const button = form?.querySelector('[type=submit]')
    if (button) { event.preventDefault(); button.click() }
    return
  }
  if (event.ctrlKey || event.metaKey) return
  if (writes(target)) { if (key === 'Escape') target.blur(); return }
  if (key === 'j' || key === 'k') { walk(key === 'j' ? 1 : -1); event.preventDefault(); return }
  const wanted = document.querySelector('[data-key="' + CSS.escape(key) + '"]')
  if (!wanted) return
  event.preventDefault()
  if (writes(wanted)) wanted.focus()
  else { wanted.focus(); wanted.click() }
}
if (document.currentScript.dataset.keys !== 'off') document.addEventListener('keydown', press)
setInterval(async () => {
  const live = document.querySelector('[data-live]')
  if (!live || document.hidden) return
  const answer = await fetch(location.href).catch(() => undefined)
  // Whoever is signed out is shown so, and no list of before.
  if (answer?.redirected) location.reload()
  if (!answer?.ok) return
  const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('[data-live]')
  if (!fresh) return
  const at = document.activeElement?.closest('[data-live]') ? document.activeElement : undefined
  const [link, form] = [at?.getAttribute('href'), at?.form?.getAttribute('action')]
  live.innerHTML = fresh.innerHTML
  if (link) live.querySelector('a[href="' + CSS.escape(link) + '"]')?.focus()
  if (form) live.querySelector('form[action="' + CSS.escape(form) + '"] button')?.focus()
}, 30000)
`

/** Named by its content, so that browsers may keep it for ever. */
export const KEYS_PATH = `/assets/${hash('sha256', KEYS, 'hex').slice(0, 16)}.js`
