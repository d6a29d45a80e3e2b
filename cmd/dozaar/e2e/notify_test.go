package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestTheWebhookIsCalledForWhoIsAway: a message for somebody without a device is posted, signed, once in a stretch; for
// somebody who is there, or has muted the conversation, nothing is.
func TestTheWebhookIsCalledForWhoIsAway(t *testing.T) {
	const hookSecret = "the marketplace's own webhook secret"
	type call struct {
		Data struct {
			UserID, ConversationID, Preview string
			Seq, Unread                     int
		}
	}
	calls := make(chan call, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mac := hmac.New(sha256.New, []byte(hookSecret))
		mac.Write([]byte(r.Header.Get("webhook-id") + "." + r.Header.Get("webhook-timestamp") + "." + string(body)))
		if r.Header.Get("webhook-signature") != "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)) {
			t.Errorf("signed %q", r.Header.Get("webhook-signature"))
		}
		var c call
		if err := json.Unmarshal(body, &c); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		calls <- c
	}))
	t.Cleanup(hook.Close)
	p := start(t, "DOZAAR_NOTIFY_DELAY=1s", "DOZAAR_NOTIFY_WEBHOOK_URL="+hook.URL, "DOZAAR_NOTIFY_WEBHOOK_SECRET="+hookSecret)
	gateway := p.gateways[0]
	bea, away, there, muted := newPerson("Bea"), newPerson("Away"), newPerson("There"), newPerson("Muted")
	conversation := gateway.conversation(bea, away, there, muted)
	seller := gateway.connect(there)
	t.Cleanup(seller.close)
	seller.readAhead()
	buyer := gateway.connect(bea)
	t.Cleanup(buyer.close)
	if answer := buyer.ask("join:conversation", `{"conversationId":"`+conversation+`"}`); !answer.OK {
		t.Fatalf("%+v", answer)
	}
	mute, err := http.NewRequest(http.MethodPut, "http://"+gateway.listen+"/v1/settings/muted/"+conversation, nil)
	if err != nil {
		t.Fatal(err)
	}
	mute.Header.Set("Authorization", "Bearer "+muted.token(""))
	if status, body := send(t, mute); status != http.StatusNoContent {
		t.Fatalf("mute: %d %s", status, body)
	}
	next := func(within time.Duration) (c call, called bool) {
		for end := time.After(within); ; {
			select {
			case c := <-calls:
				if c.Data.ConversationID == conversation {
					return c, true
				}
			case <-end:
				return c, false
			}
		}
	}
	begun := false // notify begins with what is sent once it is there
	for end := time.Now().Add(patience); !begun && time.Now().Before(end); {
		(&sales{minutes: map[string]int{}}).say(gateway, bea, gateway.conversation(bea, newPerson("Early")), "is anybody there?")
		select {
		case <-calls:
			begun = true
		case <-time.After(time.Second):
		}
	}
	for _, text := range []string{"is it still there", "hello?"} {
		if answer := buyer.ask("send:message", `{"conversationId":"`+conversation+`","message":"`+text+`"}`); !answer.OK {
			t.Fatalf("%+v", answer)
		}
	}
	seller.until(`42/chat,["message:notification",`)
	c, called := next(patience)
	if !called {
		t.Fatal("nobody was called")
	}
	if c.Data.UserID != away.ID || c.Data.Preview != "is it still there" || c.Data.Seq != 1 {
		t.Errorf("called %+v", c)
	}
	if c, again := next(3 * time.Second); again {
		t.Errorf("called again: %+v", c)
	}
}
