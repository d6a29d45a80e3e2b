package history

import (
	"maps"
	"strings"
	"testing"
)

// unkept is a clean story of a product that numbers and keeps nothing: a device that comes and goes, an
// acknowledgement that was lost, one that came late.
const unkept = `
	admitting bea
	admitted  bea outcome=ok
	admitting sam
	admitted sam outcome=ok
	connected bea1
	connected sam1
	connected sam2
	joined bea1 after=0 last=0
	joined sam1 after=0 last=0
	send   bea1 m1
	answer bea1 m1 outcome=ok
	shown  bea1 m1
	shown  sam1 m1
	joined sam2 after=0 last=0
	send   sam1 m2
	shown  bea1 m2
	shown  sam1 m2
	shown  sam2 m2
	answer sam1 m2 outcome=ok
	disconnected sam2
	send   bea1 m3
	answer bea1 m3 outcome=unknown
	connected sam2
	joined sam2 after=0 last=0
	send   bea1 m4
	answer bea1 m4 outcome=ok
	shown  sam1 m4
	shown  sam2 m4
	shown  bea1 m4
	settled wait=20s outcome=ok
	disconnected sam1
`

func TestWhatIsNotKept(t *testing.T) {
	for _, c := range []struct {
		name    string
		changes []string
		want    map[Fault]int
	}{
		{"clean", nil, map[Fault]int{}},
		{"not shown to one who was there", []string{"shown  sam1 m4", ""}, map[Fault]int{Lost: 1}},
		{"nor to two", []string{"shown  sam1 m4", "", "shown  sam2 m4", ""}, map[Fault]int{Lost: 2}},
		{"not shown to the sender", []string{"shown  bea1 m1", ""}, map[Fault]int{Lost: 1}},
		{"shown twice", []string{"shown  sam2 m4", "shown  sam2 m4\n\tshown  sam2 m4"}, map[Fault]int{Duplicated: 1}},
		{"shown before what was acknowledged when it was sent", []string{"shown  sam1 m1", "", "shown  sam1 m2", "shown  sam1 m2\n\tshown  sam1 m1"}, map[Fault]int{Reordered: 1}},
		{"nobody sent it", []string{"shown  sam1 m4", "shown  sam1 m4\n\tshown  sam1 m8"}, map[Fault]int{Phantom: 1}},
		{"to one who had gone", []string{"disconnected sam2", "disconnected sam2\n\tshown  sam2 m1"}, map[Fault]int{Uninvited: 1}},
		{"another body", []string{"shown  sam1 m4", "shown  sam1 m4 body=9"}, map[Fault]int{Altered: 1, Lost: 1}},
	} {
		v, err := Check(Slice(whole(script(t, edit(t, unkept, c.changes...)))), Options{Unkept: true})
		if err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(v.Findings, c.want) || len(v.Incomplete) > 0 {
			var b strings.Builder
			v.Print(&b)
			t.Errorf("%s: %v\n%s", c.name, v.Findings, b.String())
		}
		if v.Counts.Acked != 3 || v.Counts.Unknown != 1 {
			t.Errorf("%s: %+v", c.name, v.Counts)
		}
	}
}
