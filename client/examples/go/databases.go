package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"tour/vaultv1"
)

const database = "tour/data"

func query(ctx context.Context, conn *grpc.ClientConn) error {
	client := vaultv1.NewDatabasesClient(conn)
	if _, err := client.Create(ctx, &vaultv1.CreateDatabaseRequest{Name: database}); err != nil {
		return err
	}
	// All steps that the schema ever took: those that this database has behind it are left out.
	_, err := client.Migrate(ctx, &vaultv1.MigrateDatabaseRequest{
		Database: database,
		Steps: []string{
			"CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT NOT NULL, stars REAL)",
		},
	})
	if err != nil {
		return err
	}

	// One statement, run once with each set of parameters, in one transaction.
	_, err = client.Execute(ctx, &vaultv1.ExecuteRequest{
		Database: database,
		Statement: &vaultv1.Statement{
			Sql: "INSERT INTO note (text, stars) VALUES (?, ?)",
			Runs: []*vaultv1.Parameters{
				{Positional: []*vaultv1.Value{text("hello"), float(4.5)}},
				{Positional: []*vaultv1.Value{text("world"), null()}},
			},
		},
	})
	if err != nil {
		return err
	}

	pages, err := client.Query(ctx, &vaultv1.QueryRequest{
		Database:   database,
		Sql:        "SELECT id, text, coalesce(stars, 'none') FROM note WHERE id > ? ORDER BY id",
		Parameters: &vaultv1.Parameters{Positional: []*vaultv1.Value{integer(0)}},
	})
	if err != nil {
		return err
	}
	for {
		page, err := pages.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		for _, row := range page.Rows {
			line := []interface{}{"row:"}
			for _, value := range row.Values {
				line = append(line, native(value))
			}
			fmt.Println(line...)
		}
	}
	_, err = client.Drop(ctx, &vaultv1.DropDatabaseRequest{Name: database})
	return err
}

func integer(value int64) *vaultv1.Value {
	return &vaultv1.Value{Kind: &vaultv1.Value_Integer{Integer: value}}
}

func float(value float64) *vaultv1.Value {
	return &vaultv1.Value{Kind: &vaultv1.Value_Real{Real: value}}
}

func text(value string) *vaultv1.Value {
	return &vaultv1.Value{Kind: &vaultv1.Value_Text{Text: value}}
}

// null is SQL's NULL: a value of no kind.
func null() *vaultv1.Value {
	return &vaultv1.Value{}
}

// native is a value as Go has it. A large one is Long here, and its bytes follow in chunks: see
// QueryResponse.
func native(value *vaultv1.Value) interface{} {
	switch kind := value.Kind.(type) {
	case *vaultv1.Value_Integer:
		return kind.Integer
	case *vaultv1.Value_Real:
		return kind.Real
	case *vaultv1.Value_Text:
		return kind.Text
	case *vaultv1.Value_Blob:
		return kind.Blob
	default:
		return value.Kind
	}
}
