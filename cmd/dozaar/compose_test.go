package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"gopkg.in/yaml.v3"
)

const deployFolder = "../../deploy/"

// composeFile is what the tests read of deploy/compose/compose.yaml.
type composeFile struct {
	Services map[string]struct {
		Image       string
		Command     []string
		Environment map[string]string
	}
}

// readCompose reads the file as Compose would with that secret and nothing else set.
func readCompose(t *testing.T) composeFile {
	t.Helper()
	text := regexp.MustCompile(`\$\{(\w+)(:[-?])([^}]*)\}`).ReplaceAllStringFunc(read(t, "compose/compose.yaml"), func(v string) string {
		parts := regexp.MustCompile(`\$\{(\w+)(:[-?])([^}]*)\}`).FindStringSubmatch(v)
		switch {
		case parts[1] == "DOZAAR_JWT_SECRET":
			return strings.Repeat("s", 32)
		case parts[2] == ":-":
			return parts[3]
		}
		t.Errorf("compose.yaml wants %s of its user", parts[1])
		return ""
	})
	var file composeFile
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(deployFolder + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What is run in containers is a command, has every engine that it takes an address of, and has nothing set that is no
// setting or that is wrong.
func TestComposeRunsWhatThereIs(t *testing.T) {
	known := effective(t, nil)
	engines := []string{"kafka-brokers", "schema-registry-url", "cassandra-hosts", "redis-addrs"}
	commands := map[string]int{}
	for name, service := range readCompose(t).Services {
		if service.Image != "dozaar" {
			continue
		}
		commands[strings.Join(service.Command, " ")]++
		var env []string
		for key, value := range service.Environment {
			setting := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(key, "DOZAAR_"), "_", "-"))
			if _, ok := known[setting]; !ok || key != variable(setting) {
				t.Errorf("%s sets %s, which is no setting", name, key)
			}
			env = append(env, key+"="+value)
		}
		for _, flag := range flagsOf(t, service.Command) {
			if slices.Contains(engines, flag) && service.Environment[variable(flag)] == "" {
				t.Errorf("%s, dozaar %s: %s is not set", name, strings.Join(service.Command, " "), variable(flag))
			}
		}
		got := dozaar(t, append(env, "DOZAAR_JWT_SECRET="+strings.Repeat("s", 32)), "config", "check")
		if got.code != exitOK {
			t.Errorf("%s: %s", name, got.stderr)
		}
	}
	if want := "map[deliver:1 gateway:2 migrate:1 notify:1 presence:1 schemas apply:1 topics apply:1]"; fmt.Sprint(commands) != want {
		t.Errorf("commands: %v\nwant:     %s", commands, want)
	}
}

// flagsOf lists the settings that a command takes, and fails if there is no such command.
func flagsOf(t *testing.T, command []string) (flags []string) {
	t.Helper()
	parser, err := kong.New(&cli{}, kong.Name("dozaar"), kong.NoDefaultHelp())
	if err != nil {
		t.Fatal(err)
	}
	traced, err := kong.Trace(parser, command)
	if err == nil {
		err = traced.Error
	}
	if err != nil || traced.Selected() == nil {
		t.Errorf("dozaar %s: no such command: %v", strings.Join(command, " "), err)
		return nil
	}
	for _, flag := range traced.Flags() {
		flags = append(flags, flag.Name)
	}
	return flags
}

// Containers have the versions that the tests run on.
func TestComposeHasThePinnedVersions(t *testing.T) {
	services, pom := readCompose(t).Services, read(t, "engines/pom.xml")
	for name, image := range map[string]string{"kafka": "apache/kafka:", "cassandra": "cassandra:"} {
		pinned := regexp.MustCompile(`<` + name + `\.version>(.*)</`).FindStringSubmatch(pom)
		if pinned == nil || services[name].Image != image+pinned[1] {
			t.Errorf("%s is the image %s; pom.xml has %v", name, services[name].Image, pinned)
		}
	}
}

// nginx's file, as the container rewrites it, leads to the gateways; and Prometheus asks what is there.
func TestComposeNamesItsServices(t *testing.T) {
	services := readCompose(t).Services
	conf := read(t, "nginx/dozaar.conf")
	for _, change := range regexp.MustCompile(`s/([^/]+)/([^/]+)/`).FindAllStringSubmatch(strings.Join(services["nginx"].Command, " "), -1) {
		conf = regexp.MustCompile(change[1]).ReplaceAllString(conf, change[2])
	}
	ports := map[string]string{}
	for _, server := range regexp.MustCompile(`server (\S+):(\d+);`).FindAllStringSubmatch(conf, -1) {
		ports[server[1]] = "DOZAAR_LISTEN=0.0.0.0:" + server[2]
	}
	if len(ports) != 2 {
		t.Errorf("nginx leads to %v; want two gateways", ports)
	}
	var prometheus struct {
		Jobs []struct {
			Static []struct{ Targets []string } `yaml:"static_configs"`
			DNS    []struct {
				Names []string
				Port  int
			} `yaml:"dns_sd_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "compose/prometheus.yml")), &prometheus); err != nil {
		t.Fatal(err)
	}
	scraped := map[string]string{}
	for _, job := range prometheus.Jobs {
		for _, static := range job.Static {
			for _, target := range static.Targets {
				host, port, _ := strings.Cut(target, ":")
				scraped[host] = "DOZAAR_ADMIN_LISTEN=0.0.0.0:" + port
			}
		}
		for _, dns := range job.DNS {
			scraped[dns.Names[0]] = fmt.Sprintf("DOZAAR_ADMIN_LISTEN=0.0.0.0:%d", dns.Port)
		}
	}
	for name, service := range services {
		_, isRole := service.Environment["DOZAAR_ADMIN_LISTEN"]
		if _, ok := scraped[name]; ok != isRole {
			t.Errorf("%s: Prometheus asks it: %v; it is a role: %v", name, ok, isRole)
		}
	}
	for _, wanted := range []map[string]string{ports, scraped} {
		for name, setting := range wanted {
			key, value, _ := strings.Cut(setting, "=")
			if got := services[name].Environment[key]; got != value {
				t.Errorf("the service %s has %s=%q; want %s", name, key, got, value)
			}
		}
	}
}
