package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"google.golang.org/grpc"

	"tour/vaultv1"
)

const (
	blobs = "tour/blobs"

	// The most that a chunk of any stream holds.
	chunkBytes = 256 << 10
)

func blob(ctx context.Context, conn *grpc.ClientConn) error {
	stores, client := vaultv1.NewStoresClient(conn), vaultv1.NewBlobsClient(conn)
	_, err := stores.Create(ctx, &vaultv1.CreateStoreRequest{
		Name: blobs, Kind: vaultv1.StoreKind_STORE_KIND_BLOBS,
	})
	if err != nil {
		return err
	}
	content := make([]byte, 600_000)
	for index := range content {
		content[index] = byte(index % 200)
	}

	stored, err := upload(ctx, client, content)
	if err != nil {
		return err
	}
	fmt.Println("blob:", stored.Size, "bytes", stored.Ref)
	whole, err := download(ctx, client, &vaultv1.DownloadBlobRequest{Store: blobs, Ref: stored.Ref})
	if err != nil {
		return err
	}
	same := "another"
	if bytes.Equal(whole, content) {
		same = "the same"
	}
	fmt.Println("blob:", same, "comes back")
	length := uint64(3)
	part, err := download(ctx, client, &vaultv1.DownloadBlobRequest{
		Store: blobs, Ref: stored.Ref, Offset: 5, Length: &length,
	})
	if err != nil {
		return err
	}
	fmt.Println("blob: bytes 5 to 7:", part[0], part[1], part[2])
	_, err = stores.Remove(ctx, &vaultv1.RemoveStoreRequest{Name: blobs})
	return err
}

// upload sends a blob in chunks. The daemon answers Start with what it has kept of an upload that
// broke off. This one names no ResumeKey, so that is nothing, and nobody has to wait for it.
func upload(ctx context.Context, client vaultv1.BlobsClient, content []byte) (*vaultv1.Blob, error) {
	// Ends the call where this returns before its end: the daemon keeps nothing of it.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.Upload(ctx)
	if err != nil {
		return nil, err
	}
	size := uint64(len(content))
	start := &vaultv1.UploadBlobRequest_Start{Store: blobs, Size: &size}
	parts := []*vaultv1.UploadBlobRequest{
		{Part: &vaultv1.UploadBlobRequest_Start_{Start: start}},
	}
	for offset := 0; offset < len(content); offset += chunkBytes {
		end := offset + chunkBytes
		if end > len(content) {
			end = len(content)
		}
		parts = append(parts, &vaultv1.UploadBlobRequest{
			Part: &vaultv1.UploadBlobRequest_Chunk{Chunk: content[offset:end]},
		})
	}
	// Only this says that all was sent. With a ref, the content must also be what it names.
	ref := sha256.Sum256(content)
	finish := &vaultv1.UploadBlobRequest_Finish{Ref: hex.EncodeToString(ref[:])}
	parts = append(parts, &vaultv1.UploadBlobRequest{
		Part: &vaultv1.UploadBlobRequest_Finish_{Finish: finish},
	})
	for _, part := range parts {
		// io.EOF: the call was ended by the daemon, and Recv says why.
		if err := stream.Send(part); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	for {
		answer, err := stream.Recv()
		if err != nil {
			return nil, err
		}
		if stored := answer.GetStored(); stored != nil {
			return stored.Blob, nil
		}
	}
}

// download is a blob, or the range of it that was asked for. The head comes first, then the content.
// A whole blob that ends without an error was checked against its ref.
func download(
	ctx context.Context, client vaultv1.BlobsClient, request *vaultv1.DownloadBlobRequest,
) ([]byte, error) {
	parts, err := client.Download(ctx, request)
	if err != nil {
		return nil, err
	}
	var content []byte
	for {
		part, err := parts.Recv()
		if errors.Is(err, io.EOF) {
			return content, nil
		}
		if err != nil {
			return nil, err
		}
		content = append(content, part.GetChunk()...)
	}
}
