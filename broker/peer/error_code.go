package peer

import (
	"reflect"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// HasErrorCode reports whether any ErrorCode field of resp, at any depth, is code. Kafka asks its answers
// the same way before it looks for another controller. Not for hot paths: it reflects.
func HasErrorCode(resp kmsg.Response, code int16) bool {
	return resp != nil && hasErrorCode(reflect.ValueOf(resp), code)
}

func hasErrorCode(v reflect.Value, code int16) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return !v.IsNil() && hasErrorCode(v.Elem(), code)
	case reflect.Slice:
		if v.Type().Elem().Kind() != reflect.Struct {
			return false
		}
		for i := range v.Len() {
			if hasErrorCode(v.Index(i), code) {
				return true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() || field.Name == "UnknownTags" {
				continue
			}
			if field.Name == "ErrorCode" && field.Type.Kind() == reflect.Int16 {
				if int16(v.Field(i).Int()) == code {
					return true
				}
				continue
			}
			if hasErrorCode(v.Field(i), code) {
				return true
			}
		}
	}
	return false
}
