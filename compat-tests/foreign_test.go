package compat

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Metadata that Dohle does not serve yet (ACLs, quotas, SCRAM users) is Apache Kafka's again when the directory goes
// back, also when Dohle has written a snapshot meanwhile, from which Apache Kafka then starts.
func TestUnservedMetadataSurvives(t *testing.T) {
	dir, ports := t.TempDir(), freePorts(t, 2)
	small := props{"metadata.log.max.record.bytes.between.snapshots": "1500"}
	p := single(t, filepath.Join(dir, "data"), ports[0], ports[1]).with(small)
	guarded := p.with(props{"authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users": "User:ANONYMOUS"})

	n := startKafka(t, dir, guarded, "-t", clusterID, "--standalone")
	writeForeign(newRPC(t, n, 1))
	var before string
	eventually(t, patience, "Apache Kafka shows what it was given", func() bool {
		before = readForeign(newRPC(t, n, 1))
		return strings.Count(before, "\n") == 5
	})
	n.stop(shutdownPatience)

	n = startDohle(t, dir, p)
	r := newRPC(t, n, 1)
	for i := range 40 {
		r.create(fmt.Sprintf("topic-%d", i))
	}
	eventually(t, patience, "a second snapshot", func() bool {
		list, _ := filepath.Glob(filepath.Join(dir, "data", "__cluster_metadata-0", "*.checkpoint"))
		slices.Sort(list)
		return len(list) > 0 && list[len(list)-1] > filepath.Join(dir, "data", "__cluster_metadata-0", "00000000000000000060")
	})
	n.stop(shutdownPatience)

	n = startKafka(t, dir, guarded)
	if after := readForeign(newRPC(t, n, 1)); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	t.Logf("kept:\n%s", before)
}

func writeForeign(r rpc) {
	r.t.Helper()
	acls := kmsg.NewPtrCreateACLsRequest()
	acls.Creations = []kmsg.CreateACLsRequestCreation{
		{ResourceType: kmsg.ACLResourceTypeTopic, ResourceName: "orders", ResourcePatternType: kmsg.ACLResourcePatternTypePrefixed, Principal: "User:alice", Host: "*",
			Operation: kmsg.ACLOperationRead, PermissionType: kmsg.ACLPermissionTypeAllow},
		{ResourceType: kmsg.ACLResourceTypeGroup, ResourceName: "g", ResourcePatternType: kmsg.ACLResourcePatternTypeLiteral, Principal: "User:bob", Host: "192.0.2.1",
			Operation: kmsg.ACLOperationAll, PermissionType: kmsg.ACLPermissionTypeDeny},
	}
	for _, res := range call[*kmsg.CreateACLsResponse](r, acls).Results {
		must(r.t, kerr.ErrorForCode(res.ErrorCode))
	}
	user := "alice"
	quotas := kmsg.NewPtrAlterClientQuotasRequest()
	quotas.Entries = []kmsg.AlterClientQuotasRequestEntry{
		{Entity: []kmsg.AlterClientQuotasRequestEntryEntity{{Type: "user", Name: &user}}, Ops: []kmsg.AlterClientQuotasRequestEntryOp{{Key: "producer_byte_rate", Value: 12345}}},
		{Entity: []kmsg.AlterClientQuotasRequestEntryEntity{{Type: "client-id"}}, Ops: []kmsg.AlterClientQuotasRequestEntryOp{{Key: "request_percentage", Value: 50.5}}},
	}
	for _, res := range call[*kmsg.AlterClientQuotasResponse](r, quotas).Entries {
		must(r.t, kerr.ErrorForCode(res.ErrorCode))
	}
	scram := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	scram.Upsertions = []kmsg.AlterUserSCRAMCredentialsRequestUpsertion{{Name: user, Mechanism: 1, Iterations: 8192, Salt: []byte("salt of the user"), SaltedPassword: make([]byte, 32)}}
	for _, res := range call[*kmsg.AlterUserSCRAMCredentialsResponse](r, scram).Results {
		must(r.t, kerr.ErrorForCode(res.ErrorCode))
	}
}

func readForeign(r rpc) string {
	r.t.Helper()
	var lines []string
	acls := kmsg.NewPtrDescribeACLsRequest()
	acls.ResourceType, acls.ResourcePatternType, acls.Operation, acls.PermissionType = kmsg.ACLResourceTypeAny, kmsg.ACLResourcePatternTypeAny, kmsg.ACLOperationAny, kmsg.ACLPermissionTypeAny
	for _, res := range call[*kmsg.DescribeACLsResponse](r, acls).Resources {
		for _, a := range res.ACLs {
			lines = append(lines, fmt.Sprintf("acl %v %v %s: %s %s %v %v", res.ResourceType, res.ResourcePatternType, res.ResourceName, a.Principal, a.Host, a.Operation, a.PermissionType))
		}
	}
	for _, e := range call[*kmsg.DescribeClientQuotasResponse](r, kmsg.NewPtrDescribeClientQuotasRequest()).Entries {
		for _, v := range e.Values {
			name := "(default)"
			if e.Entity[0].Name != nil {
				name = *e.Entity[0].Name
			}
			lines = append(lines, fmt.Sprintf("quota of %s %s: %s=%v", e.Entity[0].Type, name, v.Key, v.Value))
		}
	}
	for _, u := range call[*kmsg.DescribeUserSCRAMCredentialsResponse](r, kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()).Results {
		for _, c := range u.CredentialInfos {
			lines = append(lines, fmt.Sprintf("scram user %s: mechanism %d, %d iterations", u.User, c.Mechanism, c.Iterations))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}
