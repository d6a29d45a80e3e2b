package e2e

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// secret signs the suites' tokens. It is honoured by --dev too.
const secret = "the end-to-end suites sign with this one"

// product is what the suites talk to. It has one of two shapes, and the suites do not know which: everything in one
// process on embedded engines; or each role on its own, on the engines that the environment names.
type product struct {
	t         *testing.T
	gateways  []*process // `all`, if it is one process
	delivers  []*process
	presences []*process
	notifies  []*process
}

// start runs the product with its page: in one process, or as two gateways, two delivers, a presence and a notify. extra adds to
// the environment of each.
func start(t *testing.T, extra ...string) *product {
	t.Helper()
	var p *product
	if realEngines() {
		p = roles(t, 2, 2, []string{"--dev"}, extra)
	} else {
		p = all(t, 1, []string{"--dev"}, extra)
	}
	p.run()
	return p
}

// startGateways runs gateways as those are run that strangers can reach, without --dev. On embedded engines each is
// a product of its own.
func startGateways(t *testing.T, n int, extra ...string) []*process {
	t.Helper()
	var p *product
	if realEngines() {
		p = roles(t, n, 1, nil, extra)
	} else {
		p = all(t, n, nil, extra)
	}
	p.run()
	return p.gateways
}

// all is whole products in one process each. Its roles are the same process.
func all(t *testing.T, n int, flags, extra []string) *product {
	t.Helper()
	var all []*process
	for range n {
		all = append(all, newProcess(t, append([]string{"all"}, flags...), extra...))
	}
	return &product{t: t, gateways: all, delivers: all, presences: all, notifies: all}
}

// roles is each role on its own, on the engines of the environment.
func roles(t *testing.T, gateways, delivers int, flags, extra []string) *product {
	t.Helper()
	role := func(n int, args ...string) (all []*process) {
		for range n {
			all = append(all, newProcess(t, args, append(engineSettings(), extra...)...))
		}
		return all
	}
	return &product{
		t:         t,
		gateways:  role(gateways, append([]string{"gateway"}, flags...)...),
		delivers:  role(delivers, "deliver"),
		presences: role(1, "presence"),
		notifies:  role(1, "notify"),
	}
}

// processes are those it consists of, each once.
func (p *product) processes() (all []*process) {
	for _, one := range slices.Concat(p.gateways, p.delivers, p.presences, p.notifies) {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

// run starts all processes together, in no order, and has them stopped at the end of the test.
func (p *product) run() {
	p.t.Helper()
	p.begin()
	p.waitReady()
}

func (p *product) begin() {
	p.t.Helper()
	for _, one := range p.processes() {
		one.begin()
	}
	p.t.Cleanup(p.stop)
}

func (p *product) waitReady() {
	p.t.Helper()
	for _, one := range p.processes() {
		if err := one.waitReady(startPatience); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *product) stop() {
	var stopping sync.WaitGroup
	for _, one := range p.processes() {
		stopping.Go(one.stop)
	}
	stopping.Wait()
}

// in is the same product, as a subtest of the one that started it uses it.
func (p *product) in(t *testing.T) *product {
	local := *p
	local.t = t
	return &local
}

// suite runs a client program against the product.
func (p *product) suite(name string, arg ...string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 4*time.Minute)
	defer cancel()
	cmd := p.command(ctx, name, arg...)
	out, err := cmd.CombinedOutput()
	p.t.Logf("%s", tail(string(out), 400))
	if err != nil {
		p.t.Fatalf("%s: %v", name, err)
	}
}

// command is a client program that knows where the gateways are, and how to have them restarted.
func (p *product) command(ctx context.Context, name string, arg ...string) *exec.Cmd {
	var urls []string
	for _, g := range p.gateways {
		urls = append(urls, "http://"+g.listen)
	}
	cmd := exec.CommandContext(ctx, name, arg...)
	cmd.Env = append(os.Environ(), "DOZAAR_URLS="+strings.Join(urls, ","), "DOZAAR_CONTROL_URL="+p.control(), "DOZAAR_JWT_SECRET="+secret)
	return cmd
}

// control is where a suite can have a gateway killed and run again: POST /restart?gateway=N, answered when it is ready.
func (p *product) control() string {
	var one sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one.Lock()
		defer one.Unlock()
		n, err := strconv.Atoi(r.FormValue("gateway"))
		if r.Method != http.MethodPost || r.URL.Path != "/restart" || err != nil || n < 0 || n >= len(p.gateways) {
			http.Error(w, "POST /restart?gateway=N", http.StatusBadRequest)
			return
		}
		p.gateways[n].kill()
		p.gateways[n].begin()
		if err := p.gateways[n].waitReady(startPatience); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
	p.t.Cleanup(server.Close)
	return server.URL
}
