-- +goose Up
-- The catalogue, and of each product where its units are. The numbers change with each order, and all of one product's in
-- one place: whoever changes them has locked the row, so nothing is ever promised twice.
CREATE TABLE products (
	sku              text        PRIMARY KEY,
	name             text        NOT NULL,
	description      text        NOT NULL,
	image            text        NOT NULL,
	price_amount     bigint      NOT NULL CHECK (price_amount > 0), -- minor units
	price_currency   text        NOT NULL,
	version          bigint      NOT NULL DEFAULT 1, -- rises with every change of the columns above
	available        bigint      NOT NULL DEFAULT 0 CHECK (available >= 0),   -- on hand and not reserved
	reserved         bigint      NOT NULL DEFAULT 0 CHECK (reserved >= 0),    -- on hand, held for orders that are not delivered yet
	backordered      bigint      NOT NULL DEFAULT 0 CHECK (backordered >= 0), -- wanted by reservations that wait
	on_order         bigint      NOT NULL DEFAULT 0 CHECK (on_order >= 0),    -- in supplier_orders that have not arrived
	reorder_point    bigint      NOT NULL CHECK (reorder_point >= 0),
	reorder_quantity bigint      NOT NULL CHECK (reorder_quantity >= 0),      -- 0: never reordered
	created_at       timestamptz NOT NULL,
	updated_at       timestamptz NOT NULL -- of the catalogue's columns
);

-- Few rows with many updates: room in each page for new versions, and vacuum by their number.
ALTER TABLE products SET (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

CREATE TABLE reservations (
	order_id   uuid        PRIMARY KEY,
	seq        bigint      GENERATED ALWAYS AS IDENTITY, -- drawn while the products are locked: first come, first served
	status     text        NOT NULL CHECK (status IN ('reserved', 'backordered', 'rejected', 'released', 'taken')),
	missing    jsonb       NOT NULL, -- what there was too little of when it came; the answer repeats it
	created_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL
);

-- What an order holds or waits for. An order that was rejected, or released before it came, has none.
CREATE TABLE reservation_lines (
	order_id uuid   NOT NULL REFERENCES reservations,
	sku      text   NOT NULL REFERENCES products,
	quantity bigint NOT NULL CHECK (quantity > 0),
	place    bigint, -- in the queue for this product: the reservation's seq while it waits, else null
	PRIMARY KEY (order_id, sku)
);

CREATE INDEX reservation_lines_waiting ON reservation_lines (sku, place) WHERE place IS NOT NULL;

-- Every unit that came, and every one that left for good. For each product, at any time:
-- sum(quantity) = available + reserved.
CREATE TABLE stock_movements (
	reference text        NOT NULL, -- the supplier's order, the operator's key, or the order that was delivered
	sku       text        NOT NULL REFERENCES products,
	operator  text        NOT NULL DEFAULT '', -- who has added units by hand
	what      text        NOT NULL CHECK (what IN ('initial', 'replenished', 'taken')),
	quantity  bigint      NOT NULL CHECK (quantity <> 0 AND (quantity < 0) = (what = 'taken')),
	at        timestamptz NOT NULL,
	PRIMARY KEY (reference, sku, operator) -- nothing is entered twice
);

CREATE TABLE supplier_orders (
	id         uuid        PRIMARY KEY, -- the idempotency key that the supplier is given
	sku        text        NOT NULL REFERENCES products,
	quantity   bigint      NOT NULL CHECK (quantity > 0),
	status     text        NOT NULL CHECK (status IN ('requested', 'ordered', 'arrived')),
	attempts   integer     NOT NULL DEFAULT 0,  -- since the supplier last answered
	last_error text        NOT NULL DEFAULT '', -- of the last attempt, if it failed
	due_at     timestamptz NOT NULL DEFAULT now(), -- when it wants work, or when the lease of whoever works on it ends
	created_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL
);

CREATE INDEX supplier_orders_open ON supplier_orders (due_at) WHERE status <> 'arrived';
