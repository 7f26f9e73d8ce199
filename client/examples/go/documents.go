package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"tour/vaultv1"
)

const notes = "tour/notes"

func documents(ctx context.Context, conn *grpc.ClientConn) error {
	stores, client := vaultv1.NewStoresClient(conn), vaultv1.NewDocumentsClient(conn)
	if _, err := stores.Create(ctx, &vaultv1.CreateStoreRequest{Name: notes}); err != nil {
		return err
	}

	// A precondition is what keeps two programs from undoing each other's work: Absent creates,
	// Revision replaces just what was read.
	put := func(body string, condition *vaultv1.Precondition) (uint64, error) {
		request := &vaultv1.PutDocumentRequest{
			Store: notes, Id: "first", Body: []byte(body), Precondition: condition,
		}
		response, err := client.Put(ctx, request)
		return response.GetHead().GetRevision(), err
	}
	absent := &vaultv1.Precondition{Condition: &vaultv1.Precondition_Absent{Absent: true}}
	created, err := put(`{"text":"hello"}`, absent)
	if err != nil {
		return err
	}
	fmt.Println("put: revision", created)
	asCreated := &vaultv1.Precondition{Condition: &vaultv1.Precondition_Revision{Revision: created}}
	replaced, err := put(`{"text":"hello, vault"}`, asCreated)
	if err != nil {
		return err
	}
	fmt.Println("put: revision", replaced)
	_, err = put(`{"text":"stale"}`, asCreated)
	info := errorInfo(err)
	fmt.Println("stale put:", info.GetReason(), "current", info.GetMetadata()["current"])

	// JSON Merge Patch, RFC 7396.
	patched, err := client.Patch(ctx, &vaultv1.PatchDocumentRequest{
		Store: notes, Id: "first", Patch: []byte(`{"read":true}`),
	})
	if err != nil {
		return err
	}
	fmt.Println("patch: revision", patched.Head.Revision)
	got, err := client.Get(ctx, &vaultv1.GetDocumentRequest{Store: notes, Id: "first"})
	if err != nil {
		return err
	}
	fmt.Println("get:", string(got.Body))
	if err := list(ctx, client); err != nil {
		return err
	}
	if err := watch(ctx, client, got.Head.Revision); err != nil {
		return err
	}
	_, err = stores.Remove(ctx, &vaultv1.RemoveStoreRequest{Name: notes})
	return err
}

func list(ctx context.Context, client vaultv1.DocumentsClient) error {
	pages, err := client.List(ctx, &vaultv1.ListDocumentsRequest{Store: notes})
	if err != nil {
		return err
	}
	for {
		page, err := pages.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, listed := range page.Documents {
			fmt.Println("list:", listed.Head.Id, "revision", listed.Head.Revision)
		}
	}
}

// watch shows what changes after a revision, here the end of the document. A message without changes
// says that all was sent; its revision is where to go on after a break.
func watch(ctx context.Context, client vaultv1.DocumentsClient, since uint64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, err := client.Watch(ctx, &vaultv1.WatchDocumentsRequest{Store: notes, Since: since})
	if err != nil {
		return err
	}
	caughtUp, err := changes.Recv()
	if err != nil {
		return err
	}
	fmt.Println("watch: caught up at revision", caughtUp.Revision)
	_, err = client.Delete(ctx, &vaultv1.DeleteDocumentRequest{
		Store: notes, Id: "first", IfRevision: since,
	})
	if err != nil {
		return err
	}
	changed, err := changes.Recv()
	if err != nil {
		return err
	}
	for _, head := range changed.Changes {
		what := "there"
		if head.Deleted {
			what = "deleted"
		}
		fmt.Println("watch:", head.Id, "revision", head.Revision, what)
	}
	return nil
}
