-- Receipts, replies and devices.
CREATE TABLE "delivery_events" (
	"contact_id" bigint NOT NULL,
	"touchpoint_id" bigint NOT NULL,
	"event_id" text NOT NULL,
	"kind" text NOT NULL,
	"detail" text,
	"occurred_at" timestamp with time zone NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	CONSTRAINT "delivery_events_contact_id_touchpoint_id_event_id_pk" PRIMARY KEY("contact_id","touchpoint_id","event_id"),
	CONSTRAINT "delivery_events_kind" CHECK ("delivery_events"."kind" IN ('sent', 'soft_bounce', 'delivered', 'hard_bounce', 'opened', 'clicked', 'complaint'))
);
--> statement-breakpoint
CREATE TABLE "replies" (
	"contact_id" bigint NOT NULL,
	"channel" text NOT NULL,
	"event_id" text NOT NULL,
	"text" text NOT NULL,
	"opt_out" boolean NOT NULL,
	"replied_at" timestamp with time zone NOT NULL,
	CONSTRAINT "replies_contact_id_channel_event_id_pk" PRIMARY KEY("contact_id","channel","event_id")
);
--> statement-breakpoint
CREATE TABLE "devices" (
	"contact_id" bigint NOT NULL,
	"device_key" "bytea" NOT NULL,
	"provider" text NOT NULL,
	"token" text NOT NULL,
	"keys" jsonb,
	"registered_at" timestamp with time zone NOT NULL,
	CONSTRAINT "devices_contact_id_device_key_pk" PRIMARY KEY("contact_id","device_key"),
	CONSTRAINT "devices_provider" CHECK ("devices"."provider" IN ('web', 'fcm', 'jpush'))
);
--> statement-breakpoint
CREATE INDEX "devices_key" ON "devices" USING hash ("device_key");
