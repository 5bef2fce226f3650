-- An invitation carries grants as they are given to people: roles, each with a reach. They are kept as they were written,
-- not as references: a role or a warehouse may go meanwhile, and then the invitation is refused in words.

ALTER TABLE letters ADD COLUMN grants jsonb
    CONSTRAINT letters_grants_some CHECK (jsonb_typeof(grants) = 'array' AND jsonb_array_length(grants) BETWEEN 1 AND 20);
-- The role of an invitation of before stands for that role all over the enterprise. The column leaves with the next release.
ALTER TABLE letters DROP CONSTRAINT letters_invitation_whole;
ALTER TABLE letters ADD CONSTRAINT letters_invitation_whole CHECK
    (kind <> 'invitation' OR (enterprise_id IS NOT NULL AND name IS NOT NULL AND num_nonnulls(role, grants) > 0));
