package archive

import (
	"fmt"
	"reflect"
	"time"

	"github.com/twmb/avro"

	"github.com/dozaar/dozaar/pkg/chat"
)

// place is where a row's record was; the first columns of every file.
type place struct {
	Partition int32     `parquet:"kafka_partition" avro:"-"`
	Offset    int64     `parquet:"kafka_offset" avro:"-"`
	Time      time.Time `parquet:"kafka_time,timestamp(millisecond)" avro:"-"`
}

// unreadable is a row of what its schema does not explain.
type unreadable struct {
	place
	Key    []byte `parquet:"key"`
	Value  []byte `parquet:"value"`
	Reason string `parquet:"reason"`
}

// rowType is the Go type of an event's rows: a record's place, and the schema's fields under their own names. Avro
// decodes into it, and Parquet takes its columns from it.
func rowType(schema *avro.Schema) (reflect.Type, error) {
	root := schema.Root()
	var fields []reflect.StructField
	for _, f := range reflect.VisibleFields(reflect.TypeFor[place]()) {
		fields = append(fields, reflect.StructField{Name: f.Name, Type: f.Type, Tag: f.Tag})
	}
	more, err := columns(root.Fields)
	if err != nil {
		return nil, fmt.Errorf("columns of %s: %w", root.Name, err)
	}
	return reflect.StructOf(append(fields, more...)), nil
}

func columns(from []avro.SchemaField) (fields []reflect.StructField, err error) {
	for i, f := range from {
		kind, options, err := column(f.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		tag := fmt.Sprintf(`avro:%q parquet:%q`, f.Name, f.Name+options)
		if f.Type.Type == "array" {
			_, element, _ := column(*f.Type.Items) // its error was the array's
			tag += fmt.Sprintf(` parquet-element:%q`, element)
		}
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("Field%d", i), Type: kind, Tag: reflect.StructTag(tag)})
	}
	return fields, nil
}

// column is the Go type of a field, and what Parquet has to know beside it.
func column(node avro.SchemaNode) (kind reflect.Type, options string, err error) {
	switch {
	case node.Type == "string" && node.LogicalType == "uuid":
		return reflect.TypeFor[chat.ID](), ",uuid", nil
	case node.Type == "string":
		return reflect.TypeFor[string](), "", nil
	case node.Type == "long" && node.LogicalType == "timestamp-millis":
		return reflect.TypeFor[time.Time](), ",timestamp(millisecond)", nil
	case node.Type == "long":
		return reflect.TypeFor[int64](), "", nil
	case node.Type == "int":
		return reflect.TypeFor[int32](), "", nil
	case node.Type == "boolean":
		return reflect.TypeFor[bool](), "", nil
	case node.Type == "double":
		return reflect.TypeFor[float64](), "", nil
	case node.Type == "record":
		fields, err := columns(node.Fields)
		if err != nil {
			return nil, "", err
		}
		return reflect.StructOf(fields), "", nil
	case node.Type == "array":
		items, _, err := column(*node.Items)
		if err != nil {
			return nil, "", err
		}
		return reflect.SliceOf(items), ",list", nil
	case node.Type == "union" && len(node.Branches) == 2 && node.Branches[0].Type == "null":
		some, options, err := column(node.Branches[1])
		if err != nil {
			return nil, "", err
		}
		if some == reflect.TypeFor[chat.ID]() {
			return some, ",optional" + options, nil // the zero id stands for none: Parquet knows no pointer to one
		}
		return reflect.PointerTo(some), ",optional" + options, nil
	}
	return nil, "", fmt.Errorf("there is no column for Avro's %s", node.Type)
}
