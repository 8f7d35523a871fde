-- An erased contact has no row: nothing ever wrote this column, and a dozen queries asked it.
ALTER TABLE "contacts" DROP COLUMN "erased_at";
