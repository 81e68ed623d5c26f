package broker

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// A noResponder is a connection that sends the server's "no responders" status (503). No client library can send it: the
// status follows the protocol version in the header's first line.
type noResponder struct {
	mu   sync.Mutex
	conn net.Conn
	done chan struct{}
	id   uint64 // client id of the connection
}

func openNoResponder(s *server.Server, as nkeyUser) (*noResponder, error) {
	conn, err := s.InProcessConn()
	if err != nil {
		return nil, err
	}
	r := &noResponder{conn: conn, done: make(chan struct{})}
	reader := bufio.NewReader(conn)
	if err := r.connect(reader, as); err != nil {
		_ = conn.Close()
		return nil, err
	}
	go r.respondToPings(reader)
	return r, nil
}

// connect sends the CONNECT of a user.
func (r *noResponder) connect(reader *bufio.Reader, as nkeyUser) error {
	line, err := reader.ReadString('\n')
	if err != nil {
		return err
	}
	var info struct {
		Nonce string `json:"nonce"`
		ID    uint64 `json:"client_id"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "INFO ")), &info); err != nil {
		return fmt.Errorf("parse the server's INFO line: %w", err)
	}
	r.id = info.ID
	signature, err := as.key.Sign([]byte(info.Nonce))
	if err != nil {
		return err
	}
	return r.write("CONNECT {\"verbose\":false,\"pedantic\":false,\"name\":\"mkio-bridge\",\"lang\":\"go\",\"version\":%q,\"protocol\":1,\"headers\":true,\"no_responders\":true,\"nkey\":%q,\"sig\":%q}\r\n",
		server.VERSION, as.public, base64.RawURLEncoding.EncodeToString(signature))
}

// respondToPings responds to the server's pings, until the connection ends.
func (r *noResponder) respondToPings(reader *bufio.Reader) {
	defer close(r.done)
	for {
		line, err := reader.ReadString('\n')
		if err != nil {
			return
		}
		if strings.HasPrefix(line, "PING") && r.write("PONG\r\n") != nil {
			return
		}
	}
}

// respond sends the status to a reply subject.
func (r *noResponder) respond(reply string) {
	const status = "NATS/1.0 503\r\n\r\n"
	_ = r.write("HPUB %s %d %d\r\n%s\r\n", reply, len(status), len(status), status) // an error means that the server is stopping
}

func (r *noResponder) write(format string, args ...any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := io.WriteString(r.conn, fmt.Sprintf(format, args...))
	return err
}

func (r *noResponder) close() {
	_ = r.conn.Close()
	<-r.done
}
