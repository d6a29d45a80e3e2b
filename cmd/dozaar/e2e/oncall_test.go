package e2e

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Row 24 of the hostile inputs: at the most talkative level no log has what people wrote, their tokens, or a line that a
// name made.
func TestLogsHaveNoBodiesAndNoTokens(t *testing.T) {
	const body, forged = "what only the two of them may read", "level=ERROR msg=forged"
	p := start(t, "DOZAAR_LOG_LEVEL=debug")
	bea, sam := newPerson("Bea\n"+forged+"\r\x1b[31m"), newPerson("Sam")
	c := p.talk(bea, sam, "")
	c.say(body)
	for _, refused := range []string{
		fmt.Sprintf(`{"conversationId":%q,"message":%q,"attachmentUrls":["javascript:x"]}`, c.id, body),
		fmt.Sprintf(`{"conversationId":%q,"message":%q,"unknown":1}`, newPerson("x").ID, body),
		fmt.Sprintf(`[%q]`, body),
	} {
		c.buyer.ask("send:message", refused)
	}
	p.gateways[0].api(http.MethodGet, "/v1/conversations/"+c.id+"/messages?limit=1", nil, http.StatusOK, &struct{}{})
	stranger := p.gateways[0].dial()
	stranger.send("40/chat,{\"token\":\"" + sam.token("")[:40] + body + "\"}")
	stranger.expect("44/chat,")
	stranger.close()
	c.settle(p)
	for _, one := range p.processes() {
		one.stop() // presence has nothing to say at that level until then
		log := one.out.String()
		if !strings.Contains(log, "level=DEBUG") {
			t.Errorf("%s: nothing was written that could have told anything", one.args[0])
		}
		for _, secret := range []string{body, bea.token("")[:40], sam.token("")[:40], secret, "\n" + forged, "\x1b"} {
			if strings.Contains(log, secret) {
				t.Errorf("%s: %q is in its log", one.args[0], secret)
			}
		}
	}
}

// A process that is told to stop says so at /readyz while it still lets sockets in: whoever spreads them sends no more
// before the door is shut. It lives all the while. Nothing for the people on call is where strangers connect.
func TestReadyzFailsFirst(t *testing.T) {
	p := start(t, "DOZAAR_DRAIN_DELAY=2s").gateways[0]
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/livez", "/readyz"} {
		response, err := http.Get("http://" + p.listen + path)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusNotFound {
			t.Errorf("%s is shown to the world: %d", path, response.StatusCode)
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.stop()
	}()
	var unready, shut time.Time
	for end := time.Now().Add(startPatience); shut.IsZero() && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if unready.IsZero() && p.probe("/readyz") == http.StatusServiceUnavailable {
			unready = time.Now()
			if p.probe("/livez") != http.StatusOK {
				t.Error("a process that drains does not count as alive")
			}
		}
		if conn, err := net.Dial("tcp", p.listen); err != nil {
			shut = time.Now()
		} else {
			conn.Close()
		}
	}
	<-ended
	if unready.IsZero() || shut.Sub(unready) < time.Second {
		t.Errorf("/readyz failed at %v, the door was shut at %v", unready, shut)
	}
}
