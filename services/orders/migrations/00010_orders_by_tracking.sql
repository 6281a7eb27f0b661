-- +goose NO TRANSACTION
-- +goose Up
-- For operators who have only the number that is on the parcel.
DROP INDEX CONCURRENTLY IF EXISTS orders_by_tracking;
CREATE INDEX CONCURRENTLY orders_by_tracking ON orders ((shipment ->> 'tracking_number')) WHERE shipment ->> 'tracking_number' IS NOT NULL;
