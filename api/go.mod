module example.com/orderflow/api

go 1.26.0
