CREATE TABLE "api_keys" (
	"key_id" text PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"secret_hash" text NOT NULL,
	"scopes" text[] NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"created_by" text NOT NULL,
	"last_used_at" timestamp with time zone,
	"revoked_at" timestamp with time zone
);
--> statement-breakpoint
CREATE TABLE "ingest_keys" (
	"source" text NOT NULL,
	"message_id" uuid NOT NULL,
	"received_at" timestamp with time zone NOT NULL,
	CONSTRAINT "ingest_keys_source_message_id_pk" PRIMARY KEY("source","message_id")
);
--> statement-breakpoint
CREATE INDEX "ingest_keys_received" ON "ingest_keys" USING brin ("received_at");--> statement-breakpoint
CREATE TABLE "anonymous_ids" (
	"anonymous_id" text PRIMARY KEY NOT NULL,
	"contact_id" bigint NOT NULL,
	"linked_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE INDEX "anonymous_ids_contact" ON "anonymous_ids" USING btree ("contact_id");--> statement-breakpoint
CREATE TABLE "anonymous_activity" (
	"anonymous_id" text NOT NULL,
	"occurred_at" timestamp with time zone NOT NULL,
	"key" bigint NOT NULL,
	"type" text NOT NULL,
	"value" bigint,
	"properties" jsonb,
	"received_at" timestamp with time zone NOT NULL,
	CONSTRAINT "anonymous_activity_anonymous_id_occurred_at_key_pk" PRIMARY KEY("anonymous_id","occurred_at","key")
);
--> statement-breakpoint
CREATE INDEX "anonymous_activity_received" ON "anonymous_activity" USING brin ("received_at");--> statement-breakpoint
CREATE TABLE "sync_cursors" (
	"sync" text PRIMARY KEY NOT NULL,
	"fingerprint" text NOT NULL,
	"cursor" text,
	"cursor_type" text,
	"updated_at" timestamp with time zone NOT NULL
);
