-- No run looked it up: of a chunk of contacts it reads the key, and of everybody the table. For it, each event of a contact had to
-- write both indexes anew; without it none.
DROP INDEX "contact_activity_silent_since";
