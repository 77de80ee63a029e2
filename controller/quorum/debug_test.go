package quorum
import ("testing";"os";"fmt")
func TestDebug(t *testing.T){ if os.Getenv("DBG")=="" {t.Skip()}; debugTrace=true; fmt.Println(simulate(*simFirst)) }
