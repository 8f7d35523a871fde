ALTER TABLE "touchpoints" ADD COLUMN "address_key" bytea;--> statement-breakpoint
ALTER TABLE "touchpoint_records" ADD COLUMN "address_key" bytea;
