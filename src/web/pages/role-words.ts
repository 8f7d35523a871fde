import type { Phrases } from '../../reports/words.ts'
import type { Role } from '../accounts/roles.ts'

export const ROLE_WORDS: Phrases<Role> = {
  viewer: { en: 'viewer', 'zh-CN': '查看者' },
  agent: { en: 'agent', 'zh-CN': '客服' },
  operator: { en: 'operator', 'zh-CN': '运营' },
  admin: { en: 'admin', 'zh-CN': '管理员' },
}

/** What each may do, for whoever gives roles. */
export const ROLE_MEANINGS: Phrases<Role> = {
  viewer: { en: 'sees figures and stories, addresses masked', 'zh-CN': '查看数据与经过，联系方式已脱敏' },
  agent: {
    en: 'also sees addresses, makes calls, records what contacts ask for',
    'zh-CN': '另可查看联系方式、拨打回访电话、登记联系人的要求',
  },
  operator: {
    en: 'also plans, approves, pauses, stops, exports and erases',
    'zh-CN': '另可计划、批准、暂停、停止、导出和删除',
  },
  admin: { en: 'also users and keys', 'zh-CN': '另可管理用户与密钥' },
}
