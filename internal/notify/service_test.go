package notify

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
)

func openService(t testing.TB, address string, params map[string]string) Target {
	t.Helper()
	return open(t, TargetConfig{Service: &ServiceConfig{URLFile: secretFile(t, address+"\n"), Params: params}})
}

// genericURL returns the service URL by which shoutrrr posts title and text to a receiver as JSON.
func (r *testReceiver) genericURL(path string) string {
	return "generic" + strings.TrimPrefix(r.URL, "http") + path + "?disabletls=yes&template=json"
}

func TestServiceSendsTitleAndText(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, status(200))
	m := testMessage(t)
	m.Title = "job\r\nBcc: all@example.com" // a name with line ends must not become a header
	if err := openService(t, r.genericURL("/hook"), map[string]string{"$team": "playout"}).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	var got map[string]string
	if err := json.Unmarshal(r.next(t).body, &got); err != nil {
		t.Fatal(err)
	}
	if got["title"] != "job  Bcc: all@example.com" || got["message"] != m.Text || got["team"] != "playout" {
		t.Errorf("the service got %v", got)
	}
}

// Senders of shoutrrr write a message's title into their own configuration.
func TestMessagesKeepTheirOwnTitles(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"id": "1"}`) })
	target := openService(t, "ntfy"+strings.TrimPrefix(r.URL, "http")+"/alerts?scheme=http", nil)
	var sends sync.WaitGroup
	for i := range maxSenders {
		sends.Go(func() {
			m := testMessage(t)
			m.Event.SetID(fmt.Sprint(i))
			m.Title, m.Text = fmt.Sprint("title ", i), fmt.Sprint("text ", i)
			if i%2 == 0 {
				m.Title = ""
			}
			if err := target.Send(t.Context(), m); err != nil {
				t.Error(err)
			}
		})
	}
	sends.Wait()
	for range maxSenders {
		q := r.next(t)
		number := strings.TrimPrefix(string(q.body), "text ")
		want := "title " + number
		if n, err := strconv.Atoi(number); err != nil || n%2 == 0 {
			want = ""
		}
		if title := q.header.Get("Title"); title != want {
			t.Errorf("the message %q has the title %q, want %q", q.body, title, want)
		}
	}
}

func TestStuckServiceIsBounded(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	arrived := make(chan struct{}, maxSenders)
	r := newReceiver(t, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	released := sync.OnceFunc(func() { close(release) })
	t.Cleanup(released) // before the server is closed
	target := openService(t, r.genericURL("/hook"), nil)
	try := func(ctx context.Context, i int) error {
		m := testMessage(t)
		m.Event.SetID(fmt.Sprint(i))
		return target.Send(ctx, m)
	}
	for i := range maxSenders {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- try(ctx, i) }()
		<-arrived
		cancel()
		if err := <-ended; err == nil || !strings.Contains(err.Error(), "has not responded") {
			t.Errorf("Send returned %v", err)
		}
	}
	if err := try(t.Context(), maxSenders); err == nil || !strings.Contains(err.Error(), "stuck") {
		t.Errorf("with %d requests stuck, Send returned %v", maxSenders, err)
	}
	released()
	for i := range maxSenders { // the next tries wait for the same requests
		if err := try(t.Context(), i); err != nil {
			t.Error(err)
		}
	}
	if len(r.requests) != maxSenders {
		t.Errorf("the receiver got %d requests for %d messages", len(r.requests), maxSenders)
	}
	if err := try(t.Context(), maxSenders); err != nil {
		t.Error(err)
	}
}

// A redirected POST becomes a GET, and its success would look like that of the message.
func TestSendersFollowNoRedirects(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, redirect(http.StatusFound))
	host := strings.TrimPrefix(r.URL, "http://")
	for _, address := range []string{r.genericURL("/hook"), "ntfy://" + host + "/alerts?scheme=http", "mattermost://" + host + "/token-token?disabletls=yes", "gotify://" + host + "/Aaa.bbb.ccc.ddd?disabletls=yes"} {
		err := openService(t, address, nil).Send(t.Context(), testMessage(t))
		if err == nil || !strings.Contains(err.Error(), "redirects are not followed") {
			t.Errorf("%s: %v", address, err)
		}
	}
	if len(r.requests) != 4 {
		t.Errorf("the receiver got %d requests, want 4", len(r.requests))
	}
}

func TestSendersReadBoundedResponses(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, endless(500))
	host := strings.TrimPrefix(r.URL, "http://")
	for _, address := range []string{r.genericURL("/hook"), "ntfy://" + host + "/alerts?scheme=http", "gotify://" + host + "/Aaa.bbb.ccc.ddd?disabletls=yes"} {
		if err := openService(t, address, nil).Send(t.Context(), testMessage(t)); err == nil || len(err.Error()) > 500 {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestServiceErrorsContainNoSecret(t *testing.T) {
	t.Parallel()
	const token = "AtOpSecretToken1"
	r := newReceiver(t, func(w http.ResponseWriter, q *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error": "bad token %s", "errorDescription": %q}`, token, q.URL)
	})
	host := strings.TrimPrefix(r.URL, "http://")
	for name, address := range map[string]string{
		"generic":    r.genericURL("/" + token),
		"gotify":     "gotify://" + host + "/" + token[:15] + "?disabletls=yes",
		"mattermost": "mattermost://" + host + "/" + token + "?disabletls=yes",
		"ntfy":       "ntfy://user:" + token + "@" + host + "/alerts?scheme=http",
		"refused":    "ntfy://user:" + token + "@127.0.0.1:1/alerts?scheme=http",
		"smtp":       "smtp://user:" + token + "@127.0.0.1:1/?from=a@example.com&to=b@example.com",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			target, err := TargetConfig{Service: &ServiceConfig{URLFile: secretFile(t, address)}}.Open()
			if err == nil {
				err = target.Send(t.Context(), testMessage(t))
			}
			if err == nil || strings.Contains(err.Error(), token[:8]) {
				t.Errorf("the error is %v, want one without %s", err, token)
			}
			t.Log(err)
		})
	}
}

// What senders put into their errors, for services that cannot be called in a test.
func TestRedactor(t *testing.T) {
	t.Parallel()
	for address, text := range map[string]string{
		"telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw@telegram?chats=@ops":                   `Post "https://api.telegram.org/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage": dial tcp: lookup api.telegram.org: no such host`,
		"slack://hook:WNA3PBYV6-F20DUQND3RQ-Webc4MAvoacrpPakR8phF0zi@webhook":                           `failed to invoke webhook: Post "https://hooks.slack.com/services/WNA3PBYV6/F20DUQND3RQ/Webc4MAvoacrpPakR8phF0zi": EOF; bot F20DUQND3RQ`,
		"discord://AtOpSecretToken1AtOpSecretToken1@123456789012345678":                                 `sending to https://discord.com/api/webhooks/123456789012345678/AtOpSecretToken1AtOpSecretToken1?wait=1 failed: 123456789012345678 unknown`,
		"pushover://shoutrrr:AtOpSecretToken1@UserKeyUserKey":                                           `user UserKeyUserKey, token "AtOpSecretToken1"`,
		"googlechat://chat.googleapis.com/v1/spaces/FOO/messages?key=b%2Bar-key&token=AtOpSecretToken1": `key b+ar-key b%2Bar-key AtOpSecretToken1`,
	} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		got := newRedactor(addressSecrets(u)...).text(text)
		for _, secret := range []string{"AAHdq", "110201543", "WNA3PBYV6", "F20DUQND3RQ", "Webc4", "AtOp", "123456789", "UserKey", "ar-key"} {
			if strings.Contains(got, secret) {
				t.Errorf("%s is left in %q", secret, got)
			}
		}
		if !strings.Contains(got, redacted) {
			t.Errorf("nothing was redacted in %q", got)
		}
	}
}

func TestServiceConfigurationErrors(t *testing.T) {
	t.Parallel()
	for want, address := range map[string]string{
		"service URL of shoutrrr": "hunter2hunter2",
		"unknown service":         "slak://hunter2hunter2@webhook",
		"sends nothing":           "logger://",
		"failed to initialize":    "pagerduty:///hunter2hunter2", // a key must have 32 hex digits
		"is empty":                "",
	} {
		_, err := TargetConfig{Service: &ServiceConfig{URLFile: secretFile(t, address)}}.Open()
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error %v, want one with %q and without the address", address, err, want)
		}
	}
	// A parameter that the service does not have is found when the rules are read.
	_, err := TargetConfig{Service: &ServiceConfig{URLFile: secretFile(t, "pagerduty:///eb243592faa24ba2a551b1afdf565c88"), Params: map[string]string{"severty": "info"}}}.Open()
	if err == nil {
		t.Error("an unknown parameter was accepted")
	}
}

func TestIncidentsAreOfResources(t *testing.T) {
	t.Parallel()
	m := testMessage(t)
	address := func(text string, params map[string]string) serviceAddress {
		t.Helper()
		a, err := newServiceAddress(text, params)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.open(); err != nil {
			t.Fatal(err)
		}
		return a
	}
	const pagerDuty = "pagerduty:///eb243592faa24ba2a551b1afdf565c88"
	text, params := address(pagerDuty, map[string]string{"action": "resolve"}).compose(m)
	if params["dedup_key"] != "job.aurora-vod.ladder-hd.ep-0417" || params["source"] != m.Event.Source() || text != m.Title+"\n"+m.Text {
		t.Errorf("PagerDuty gets %v and %q", params, text)
	}
	if text, _ := address("gotify://host/Aaa.bbb.ccc.ddd", nil).compose(Message{Event: m.Event, Title: "only a title"}); text != "only a title" {
		t.Errorf("without a text the service gets %q", text)
	}
	if _, params := address(pagerDuty+"?dedup_key=mine", nil).compose(m); params["dedup_key"] != "" {
		t.Errorf("the key of the URL is replaced by %v", params)
	}
	m.Event.SetExtension("partitionkey", strings.Repeat("x", 1000))
	if _, params := address("opsgenie:///eb243592-faa2-4ba2-a551-1afdf565c889", nil).compose(m); len(params["alias"]) != 64 {
		t.Errorf("Opsgenie gets %v", params)
	}
}

// Every service of shoutrrr gets the title: as its parameter, or, if it has none, in the text.
func TestEveryServiceGetsTheTitle(t *testing.T) {
	t.Parallel()
	known := map[string]bool{
		"bark": true, "discord": true, "generic": true, "gotify": true, "ifttt": true, "join": true, "lark": true, "logger": true, "matrix": true, "mattermost": true,
		"notifiarr": true, "ntfy": true, "opsgenie": true, "pushbullet": true, "pushover": true, "slack": true, "smtp": true, "teams": true, "telegram": true,
	}
	for _, name := range (&router.ServiceRouter{}).ListServices() {
		if !known[name] && !withoutTitle[name] {
			t.Errorf("shoutrrr has a new service %s: see in its source whether it has a title, and list it here or in withoutTitle", name)
		}
	}
}

func TestMailSubject(t *testing.T) {
	t.Parallel()
	server, mails := newMailServer(t)
	target := openService(t, "smtp://"+server+"/?from=bridge@example.com&to=ops@example.com&auth=None&starttls=no", nil)
	m := testMessage(t)
	m.Title, m.Text = "Größe\r\nBcc: all@example.com", "line 1\n.\nline 3"
	if err := target.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	mail := <-mails
	header, err := textproto.NewReader(bufio.NewReader(strings.NewReader(mail))).ReadMIMEHeader()
	if err != nil {
		t.Fatalf("%v in\n%s", err, mail)
	}
	if header.Get("Bcc") != "" || header.Get("Subject") != "=?utf-8?q?Gr=C3=B6=C3=9Fe__Bcc:_all@example.com?=" || !strings.HasSuffix(mail, "line 1\n.\nline 3\n") {
		t.Errorf("the mail is\n%s", mail)
	}
}

// newMailServer starts an SMTP server that accepts mails.
func newMailServer(t *testing.T) (address string, mails chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	mails = make(chan string, 10)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serveMail(conn, mails)
		}
	}()
	return listener.Addr().String(), mails
}

func serveMail(conn net.Conn, mails chan<- string) {
	c := textproto.NewConn(conn)
	defer c.Close()
	_ = c.PrintfLine("220 mail.example.com")
	for {
		line, err := c.ReadLine()
		if err != nil {
			return
		}
		switch command, _, _ := strings.Cut(strings.ToUpper(line), " "); command {
		case "DATA":
			_ = c.PrintfLine("354 go on")
			mail, err := c.ReadDotBytes()
			if err != nil {
				return
			}
			mails <- string(mail)
			_ = c.PrintfLine("250 accepted")
		case "QUIT":
			_ = c.PrintfLine("221 bye")
			return
		default:
			_ = c.PrintfLine("250 ok")
		}
	}
}

func TestServiceResponses(t *testing.T) {
	t.Parallel()
	for code, permanently := range map[int]bool{400: true, 410: true, 401: false, 429: false, 500: false} {
		r := newReceiver(t, status(code))
		// Bark is one of the services whose errors tell the status.
		err := openService(t, "bark://:device-key@"+strings.TrimPrefix(r.URL, "http://")+"/?scheme=http", nil).Send(t.Context(), testMessage(t))
		if _, permanent := errors.AsType[*Permanent](err); err == nil || permanent != permanently {
			t.Errorf("%d: %v, permanent %t", code, err, permanent)
		}
	}
}
