-- +goose Up
-- The trace in which the order was placed (W3C traceparent): what a deadline, an operator or new stock makes it send later belongs
-- to that trace, too. Orders that a release before has placed have none.
ALTER TABLE orders ADD COLUMN trace_parent text NOT NULL DEFAULT '';
