-- Who runs the installation acts in it as people act in an enterprise: under the nil enterprise, as in the audit log. Answers
-- under an Idempotency-Key are kept there too; no enterprise has that id, so the reference goes. Nothing deletes enterprises.

ALTER TABLE idempotency_keys DROP CONSTRAINT idempotency_keys_enterprise_fkey;
