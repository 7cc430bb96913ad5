// Fan-out by the library centrifuge, for the benchmark: centrifuge-peer PORT. Anyone may subscribe to any channel and publish to
// it, by the library's JSON protocol over WebSocket.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/centrifugal/centrifuge"
)

// The largest command of a client, in octets, and what may wait for one before it is disconnected.
const (
	largestCommand = 256 * 1024
	largestQueue   = 1024 * 1024
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("usage: centrifuge-peer PORT")
	}
	node, err := centrifuge.New(centrifuge.Config{ClientQueueMaxSize: largestQueue})
	if err != nil {
		return err
	}
	node.OnConnecting(func(context.Context, centrifuge.ConnectEvent) (centrifuge.ConnectReply, error) {
		return centrifuge.ConnectReply{Credentials: &centrifuge.Credentials{}}, nil
	})
	node.OnConnect(func(client *centrifuge.Client) {
		client.OnSubscribe(func(_ centrifuge.SubscribeEvent, done centrifuge.SubscribeCallback) {
			done(centrifuge.SubscribeReply{}, nil)
		})
		client.OnPublish(func(_ centrifuge.PublishEvent, done centrifuge.PublishCallback) {
			done(centrifuge.PublishReply{}, nil)
		})
	})
	if err := node.Run(); err != nil {
		return err
	}
	http.Handle("/connection/websocket", centrifuge.NewWebsocketHandler(node, centrifuge.WebsocketConfig{
		MessageSizeLimit: largestCommand,
		// The other peers ping nobody either.
		PingPongConfig: centrifuge.PingPongConfig{PingInterval: -1},
	}))
	return http.ListenAndServe(net.JoinHostPort("127.0.0.1", os.Args[1]), nil)
}
