-- Where a message may have gone that is sent again to a provider that recognises the repeat: its contact may have another
-- address by then, and it went to one of them.
CREATE TABLE "tried_addresses" (
	"contact_id" bigint NOT NULL,
	"touchpoint_id" bigint NOT NULL,
	"channel" text NOT NULL,
	"address_key" bytea NOT NULL,
	CONSTRAINT "tried_addresses_pk" PRIMARY KEY("contact_id","touchpoint_id","channel","address_key")
);
