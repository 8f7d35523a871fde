ALTER TABLE "sync_cursors" ADD COLUMN "read_at" timestamp with time zone;--> statement-breakpoint
CREATE TABLE "sync_rejects" (
	"sync" text NOT NULL,
	"row_key" "bytea" NOT NULL,
	"seen_at" timestamp with time zone NOT NULL,
	CONSTRAINT "sync_rejects_sync_row_key_pk" PRIMARY KEY("sync","row_key")
);
