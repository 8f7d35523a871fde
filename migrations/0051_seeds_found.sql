-- Seeds are a few colleagues among everybody: who is one was looked up in all episodes of each person who ever left.
CREATE INDEX "episodes_seeds" ON "episodes" ("contact_id") WHERE arm = 'seed';
