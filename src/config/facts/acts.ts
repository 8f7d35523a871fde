import { sql } from 'drizzle-orm/sql'
import { type Fact, signal, since } from '../fact.ts'

// What somebody did beside buying: carts, favourites, answers, coupons.

export function actFacts(): Fact[] {
  return [
    signal(
      'orders.coupon_share',
      'number',
      'Share of the orders that used a coupon, 0 to 1; absent without any',
      () => sql`round(s.coupon_orders::numeric / nullif(s.orders, 0), 6)`,
    ),
    signal(
      'coupons.cycles',
      'number',
      'How often a lapse ended with a coupon (`signals.coupons.lapse`)',
      () => sql`coalesce(s.coupon_cycles, 0)::numeric`,
    ),
    signal(
      'cart.items',
      'number',
      'Items put into the cart since the latest order',
      () => sql`coalesce(s.cart_items, 0)::numeric`,
    ),
    signal('cart.changed_at', 'timestamp', 'When the cart was last changed', () => sql`s.cart_at`),
    signal(
      'favourites.count',
      'number',
      'How many favourites',
      () => sql`coalesce(s.favourites, 0)::numeric`,
    ),
    signal('favourites.last_at', 'timestamp', 'Latest favourite', () => sql`s.favourite_at`),
    signal('comments.last_at', 'timestamp', 'Latest comment or like', () => sql`s.comment_at`),
    signal('nps', 'number', 'Latest answer to “would you recommend us”, 0 to 10', () => sql`s.nps`),
    signal('nps_at', 'timestamp', 'When it was given', () => sql`s.nps_at`),
    signal(
      'complaints.open',
      'number',
      'Complaints not resolved',
      () => sql`coalesce(s.complaints_open, 0)::numeric`,
    ),
    signal('reviews.rating', 'number', 'Stars of the latest review', () => sql`s.review_rating`),
    signal('reviews.last_at', 'timestamp', 'When it was written', () => sql`s.review_at`),
    signal(
      'assignments.open',
      'number',
      'Tasks given and not done',
      () => sql`coalesce(s.assignments_open, 0)::numeric`,
    ),
    signal('sign_in.last_at', 'timestamp', 'Latest sign-in or session', () => sql`s.sign_in_at`),
    signal('sign_in.silence', 'duration', 'Time since then', (now) => since(sql`s.sign_in_at`, now)),
  ]
}
