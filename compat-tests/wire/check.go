package wire

import "fmt"

// Check says whether every name in a request is one that Kafka has.
func Check(m *Message, values map[string]any) error { return check(m.Name, m.Fields, values) }

func check(path string, fields []*Field, values map[string]any) error {
	for name, v := range values {
		f := FieldNamed(fields, name)
		if f == nil {
			return fmt.Errorf("%s has no field %s; it has %s", path, name, names(fields))
		}
		if err := checkValue(path+"."+name, f, v); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(path string, f *Field, v any) error {
	switch v := v.(type) {
	case []any:
		if f.Kind == "records" {
			for _, batch := range v {
				if fields, ok := batch.(map[string]any); ok {
					if err := checkBatch(path, fields); err != nil {
						return err
					}
				}
			}
			return nil
		}
		if !f.Array {
			return fmt.Errorf("%s is no list", path)
		}
		for _, item := range v {
			if sub, ok := item.(map[string]any); ok && f.Kind == "struct" {
				if err := check(path, f.Fields, sub); err != nil {
					return err
				}
			}
		}
	case map[string]any:
		switch f.Kind {
		case "struct":
			return check(path, f.Fields, v)
		case "records":
			return checkBatch(path, v)
		default:
			return fmt.Errorf("%s is no object", path)
		}
	}
	return nil
}

func checkBatch(path string, batch map[string]any) error {
	for name := range batch {
		if !batchFields[name] {
			return fmt.Errorf("%s: a batch has no field %s", path, name)
		}
	}
	list, _ := batch["records"].([]any)
	for _, item := range list {
		fields, _ := item.(map[string]any)
		for name := range fields {
			if !recordFields[name] {
				return fmt.Errorf("%s: a record has no field %s", path, name)
			}
		}
	}
	return nil
}
