-- +goose Up
-- An entry is written with its order, in one unit of work, and no order is ever deleted. To look for the order again with each of
-- its entries is a good part of what they cost. The audit goes on comparing them.
ALTER TABLE timeline DROP CONSTRAINT IF EXISTS timeline_order_id_fkey;
