module example.com/orderflow/e2e/interleavings

go 1.26.0

require example.com/orderflow/pkg v0.0.0

require (
	github.com/bojanz/currency v1.4.2 // indirect
	github.com/cockroachdb/apd/v3 v3.2.1 // indirect
)

replace example.com/orderflow/pkg => ../../pkg

replace example.com/orderflow/api => ../../api
