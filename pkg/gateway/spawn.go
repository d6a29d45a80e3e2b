package gateway

import "sync"

// spawner runs goroutines that Run waits for.
type spawner struct {
	mu      sync.Mutex // guards stopped, and wg against an Add beside Wait
	stopped bool
	wg      sync.WaitGroup
}

// spawn runs f unless the gateway is stopping.
func (p *spawner) spawn(f func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return false
	}
	p.wg.Go(f)
	return true
}

func (p *spawner) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.wg.Wait()
}
