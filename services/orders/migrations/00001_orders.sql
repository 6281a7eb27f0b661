-- +goose Up
CREATE TABLE orders (
	id               uuid        PRIMARY KEY, -- UUIDv7: the order of ids is the order of placing
	customer_id      text        NOT NULL,
	status           text        NOT NULL,
	reason           text        NOT NULL DEFAULT '',
	lines            jsonb       NOT NULL,
	total_amount     bigint      NOT NULL CHECK (total_amount > 0), -- minor units
	total_currency   text        NOT NULL,
	shipping_address jsonb       NOT NULL,
	payment_method   text        NOT NULL,
	allow_backorder  boolean     NOT NULL,
	payment          jsonb       NOT NULL, -- what tracking shows of it; payments owns the truth
	shipment         jsonb       NOT NULL, -- likewise shipping
	step             integer     NOT NULL, -- rises with the status; a deadline of an earlier step is void
	seq              integer     NOT NULL, -- of the last entry in the timeline
	attention_since  timestamptz,          -- a person should look; null when all is well
	created_at       timestamptz NOT NULL,
	updated_at       timestamptz NOT NULL
);

CREATE INDEX orders_of_customer ON orders (customer_id, id DESC);
CREATE INDEX orders_in_need ON orders (attention_since) WHERE attention_since IS NOT NULL;
CREATE INDEX orders_under_way ON orders (status) WHERE status NOT IN ('delivered', 'cancelled');

CREATE TABLE timeline (
	order_id uuid        NOT NULL REFERENCES orders,
	seq      integer     NOT NULL,
	at       timestamptz NOT NULL,
	status   text        NOT NULL,
	what     text        NOT NULL,
	PRIMARY KEY (order_id, seq)
);

-- One key makes one order, and is answered the same way for as long as it is kept.
CREATE TABLE idempotency_keys (
	customer_id text        NOT NULL,
	key         text        NOT NULL,
	fingerprint bytea       NOT NULL, -- SHA-256 of the request
	order_id    uuid        NOT NULL,
	answer      json        NOT NULL,
	created_at  timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (customer_id, key)
);

CREATE INDEX idempotency_keys_created ON idempotency_keys USING brin (created_at);

-- A copy of inventory's products, fed by its events, so that placing an order needs no other service.
CREATE TABLE catalogue (
	sku            text    PRIMARY KEY,
	version        bigint  NOT NULL,
	name           text    NOT NULL,
	price_amount   bigint  NOT NULL,
	price_currency text    NOT NULL
);
