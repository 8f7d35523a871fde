-- The web: who may sign in, who is, what was done, and plans that wait for approval.
CREATE TABLE "audit" (
	"audit_id" bigserial PRIMARY KEY NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"actor" text NOT NULL,
	"via" text NOT NULL,
	"action" text NOT NULL,
	"about" text,
	"detail" jsonb,
	"address" text,
	CONSTRAINT "audit_via" CHECK ("audit"."via" IN ('web', 'api', 'cli'))
);
--> statement-breakpoint
CREATE TABLE "campaign_plans" (
	"plan_id" bigserial PRIMARY KEY NOT NULL,
	"campaign" text NOT NULL,
	"inputs" text NOT NULL,
	"shown" jsonb NOT NULL,
	"planned_at" timestamp with time zone NOT NULL,
	"planned_by" integer NOT NULL,
	"decided_at" timestamp with time zone,
	"decided_by" integer,
	"approved" boolean,
	"version" bigint,
	CONSTRAINT "campaign_plans_decided" CHECK (("campaign_plans"."decided_at" IS NULL) = ("campaign_plans"."approved" IS NULL) AND ("campaign_plans"."decided_by" IS NULL) = ("campaign_plans"."approved" IS NULL))
);
--> statement-breakpoint
CREATE TABLE "sign_in_failures" (
	"key" text PRIMARY KEY NOT NULL,
	"failures" integer NOT NULL,
	"failed_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "user_links" (
	"link_hash" text PRIMARY KEY NOT NULL,
	"user_id" integer NOT NULL,
	"expires_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "users" (
	"user_id" serial PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"role" text NOT NULL,
	"password" text,
	"created_at" timestamp with time zone NOT NULL,
	"created_by" text NOT NULL,
	"disabled_at" timestamp with time zone,
	CONSTRAINT "users_name_unique" UNIQUE("name"),
	CONSTRAINT "users_role" CHECK ("users"."role" IN ('viewer', 'agent', 'operator', 'admin'))
);
--> statement-breakpoint
CREATE TABLE "web_sessions" (
	"session_hash" text PRIMARY KEY NOT NULL,
	"user_id" integer NOT NULL,
	"csrf" text NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"seen_at" timestamp with time zone NOT NULL,
	"expires_at" timestamp with time zone NOT NULL,
	"address" text NOT NULL
);
--> statement-breakpoint
ALTER TABLE "campaign_plans" ADD CONSTRAINT "campaign_plans_planned_by_users_user_id_fk" FOREIGN KEY ("planned_by") REFERENCES "users"("user_id") ON DELETE no action ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "campaign_plans" ADD CONSTRAINT "campaign_plans_decided_by_users_user_id_fk" FOREIGN KEY ("decided_by") REFERENCES "users"("user_id") ON DELETE no action ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "user_links" ADD CONSTRAINT "user_links_user_id_users_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "users"("user_id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
ALTER TABLE "web_sessions" ADD CONSTRAINT "web_sessions_user_id_users_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "users"("user_id") ON DELETE cascade ON UPDATE no action;
--> statement-breakpoint
CREATE INDEX "audit_about" ON "audit" USING btree ("about");
--> statement-breakpoint
CREATE INDEX "campaign_plans_campaign" ON "campaign_plans" USING btree ("campaign","plan_id");
--> statement-breakpoint
CREATE INDEX "web_sessions_user" ON "web_sessions" USING btree ("user_id");
