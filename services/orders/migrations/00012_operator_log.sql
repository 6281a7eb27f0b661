-- +goose Up
-- What operators did about orders, beside what the timeline tells: notes, and commands that were sent again. It is no part of the
-- timeline, because that is announced, customers read it, and it ends with the order.
CREATE TABLE operator_log (
	order_id uuid        NOT NULL,
	seq      bigint      GENERATED ALWAYS AS IDENTITY,
	at       timestamptz NOT NULL,
	operator text        NOT NULL,
	what     text        NOT NULL,
	why      text        NOT NULL, -- in their words; of a note, its text
	PRIMARY KEY (order_id, seq)
);
