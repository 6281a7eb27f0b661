-- +goose Up
-- An order's deadline. The release before sends it to itself as a message, and knows nothing of these columns: a deadline that it
-- leaves behind when it moves an order on comes too early, and has it ask once more.
ALTER TABLE orders ADD COLUMN due_at timestamptz;                  -- null: it waits for nothing, or its deadline is a message
ALTER TABLE orders ADD COLUMN passed integer NOT NULL DEFAULT 0;   -- deadlines that have passed in this status
