package bench

func Tables(r Results) string                { return "" }
func WriteDocs(path string, r Results) error { return nil }
