package scenarios

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

func flags() (*flag.FlagSet, *int, *float64) {
	f := flag.NewFlagSet("", flag.ContinueOnError)
	return f, f.Int("members", 2, ""), f.Float64("rate", 1, "")
}

func TestFlagsGoBeforeAScenario(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte("about: mine\nmembers: 5\nrate: 2.5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Read(file)
	if err != nil || s.Name != "mine" || s.About != "mine" {
		t.Fatalf("%+v, %v", s, err)
	}
	f, members, rate := flags()
	if err := f.Parse([]string{"--rate", "7"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(f); err != nil || *members != 5 || *rate != 7 {
		t.Errorf("%d members at %v a second, %v", *members, *rate, err)
	}
}

func TestWhatIsNoScenarioIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"no setting": "about: x\nmember: 5\n", "no number": "about: x\nmembers: five\n", "about nothing": "members: 5\n", "no YAML": "about: [\n",
		"twice": "about: x\nmembers: 5\nmembers: 6\n", "a list": "about: x\nmembers: [1, 2]\n",
	} {
		s, err := parse([]byte(text))
		if f, _, _ := flags(); err == nil {
			err = s.Apply(f)
		}
		if err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	t.Chdir(t.TempDir())
	if err := os.Mkdir("deploy", 0o700); err != nil {
		t.Fatal(err)
	}
	if s, err := Read("deploy"); err != nil || s.Name != "deploy" {
		t.Errorf("beside a folder of that name: %+v, %v", s, err)
	}
	if _, err := Read("none such"); err == nil {
		t.Error("one that is not there is taken")
	}
}

func TestBuiltIn(t *testing.T) {
	if len(Names()) < 6 {
		t.Errorf("only %v", Names())
	}
	for _, name := range Names() {
		if s, err := Read(name); err != nil || s.Name != name {
			t.Errorf("%+v, %v", s, err)
		}
	}
}
