// A tour of vaultd from Go: documents, a typed error, a watch, a blob, a query.
//
// In this folder, with the socket that `vaultctl status --json` names (it starts the daemon, too),
// and with buf, protoc-gen-go and protoc-gen-go-grpc on the PATH:
//
//	buf generate ../../../proto
//	go mod init tour && go mod tidy
//	go run . SOCKET
//
// It works in stores of its own and removes them at the end.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"tour/vaultv1"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: tour SOCKET")
	}
	if err := tour(context.Background(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func tour(ctx context.Context, socket string) error {
	// The socket lets in nobody but its owner, so there is no TLS on it. From grpc 1.63 on, this is
	// grpc.NewClient with insecure.NewCredentials().
	conn, err := grpc.Dial("unix:"+socket, grpc.WithInsecure())
	if err != nil {
		return err
	}
	defer conn.Close()

	vault, err := vaultv1.NewVaultClient(conn).Status(ctx, &vaultv1.StatusRequest{})
	if err != nil {
		return err
	}
	fmt.Println("vault:", vault.KeyState)
	if err := documents(ctx, conn); err != nil {
		return err
	}
	if err := blob(ctx, conn); err != nil {
		return err
	}
	return query(ctx, conn)
}

// errorInfo is why a call failed. Programs go by its reason, never by the text: see proto/ERRORS.md.
func errorInfo(err error) *errdetails.ErrorInfo {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return nil
}
