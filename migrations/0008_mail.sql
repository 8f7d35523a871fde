ALTER TABLE "delivery_events" DROP CONSTRAINT "delivery_events_kind";
--> statement-breakpoint
ALTER TABLE "delivery_events" ADD CONSTRAINT "delivery_events_kind" CHECK ("delivery_events"."kind" IN ('sent', 'soft_bounce', 'delivered', 'hard_bounce', 'prefetched', 'opened', 'clicked', 'unsubscribed', 'complaint'));
