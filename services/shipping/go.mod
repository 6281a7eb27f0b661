module example.com/orderflow/services/shipping

go 1.26.0

require example.com/orderflow/pkg v0.0.0

replace (
	example.com/orderflow/local => ../../local
	example.com/orderflow/pkg => ../../pkg
)
