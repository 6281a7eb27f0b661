module example.com/orderflow/e2e/interleavings

go 1.26.0

require example.com/orderflow/pkg v0.0.0

replace example.com/orderflow/pkg => ../../pkg
