package report

import (
	_ "embed"
	"reflect"
	"strings"
)

// Schema is the JSON Schema (draft 2020-12) of report.json. It is made from the
// types of this package; a test keeps both equal.
//
//go:embed report.schema.json
var Schema []byte

// schema describes type t.
func schema(t reflect.Type) map[string]any {
	switch t.Kind() {
	case reflect.Pointer:
		return schema(t.Elem())
	case reflect.Struct:
		return object(t)
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schema(t.Elem())}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schema(t.Elem())}
	case reflect.Array:
		return map[string]any{"type": "array", "items": schema(t.Elem()), "minItems": t.Len(), "maxItems": t.Len()}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	}
	panic("report: no schema for " + t.String())
}

func object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous {
			continue
		}
		name, option, _ := strings.Cut(f.Tag.Get("json"), ",")
		properties[name] = schema(f.Type)
		if option == "" {
			required = append(required, name)
		}
	}
	return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// document is the whole schema.
func document() map[string]any {
	d := schema(reflect.TypeFor[Report]())
	d["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	d["$id"], d["title"] = SchemaID, "report.json of ctrecon"
	d["properties"].(map[string]any)["schema"] = map[string]any{"const": SchemaID}
	return d
}
