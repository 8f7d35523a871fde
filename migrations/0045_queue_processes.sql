-- Which queue each scheduler and each worker has: those that name different ones wait for each other for ever, and no process
-- could know it by itself.
CREATE TABLE "queue_processes" (
	"process_id" uuid PRIMARY KEY NOT NULL,
	"role" text NOT NULL,
	"host" text NOT NULL,
	"engine" text NOT NULL,
	"place" text NOT NULL,
	"queue_id" text NOT NULL,
	"seen_at" timestamp with time zone NOT NULL,
	CONSTRAINT "queue_processes_role" CHECK ("role" IN ('scheduler', 'worker'))
);
