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

// A refusal is a connection that says for the server that nobody takes a request. Clients understand it in the one form
// that the server gives it, a status behind the protocol's version, and no client library writes that.
type refusal struct {
	mu   sync.Mutex
	conn net.Conn
	done chan struct{}
	id   uint64 // of the connection
}

func openRefusal(s *server.Server, as pass) (*refusal, error) {
	conn, err := s.InProcessConn()
	if err != nil {
		return nil, err
	}
	r := &refusal{conn: conn, done: make(chan struct{})}
	lines := bufio.NewReader(conn)
	if err := r.enter(lines, as); err != nil {
		_ = conn.Close()
		return nil, err
	}
	go r.attend(lines)
	return r, nil
}

// enter shows who it is.
func (r *refusal) enter(lines *bufio.Reader, as pass) error {
	line, err := lines.ReadString('\n')
	if err != nil {
		return err
	}
	var info struct {
		Nonce string `json:"nonce"`
		ID    uint64 `json:"client_id"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "INFO ")), &info); err != nil {
		return fmt.Errorf("the server's first line: %w", err)
	}
	r.id = info.ID
	signature, err := as.key.Sign([]byte(info.Nonce))
	if err != nil {
		return err
	}
	return r.say("CONNECT {\"verbose\":false,\"pedantic\":false,\"name\":\"mkio-bridge\",\"lang\":\"go\",\"version\":%q,\"protocol\":1,\"headers\":true,\"no_responders\":true,\"nkey\":%q,\"sig\":%q}\r\n",
		server.VERSION, as.public, base64.RawURLEncoding.EncodeToString(signature))
}

// attend tells the server that it is there, until the connection ends.
func (r *refusal) attend(lines *bufio.Reader) {
	defer close(r.done)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if strings.HasPrefix(line, "PING") && r.say("PONG\r\n") != nil {
			return
		}
	}
}

// tell tells who asked, by the reply subject.
func (r *refusal) tell(reply string) {
	const status = "NATS/1.0 503\r\n\r\n"
	_ = r.say("HPUB %s %d %d\r\n%s\r\n", reply, len(status), len(status), status) // the server stops
}

func (r *refusal) say(format string, args ...any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := io.WriteString(r.conn, fmt.Sprintf(format, args...))
	return err
}

func (r *refusal) close() {
	_ = r.conn.Close()
	<-r.done
}
