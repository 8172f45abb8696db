/* Three nodes: one that computes, one that remembers, one that asks a server. Build as penstock.h says. */

#include "penstock.h"

static ps_answer greet(ps_value parameters, ps_value context)
{
    (void)context;
    ps_text name = ps_string(ps_get(parameters, "name"));
    if (!name.length)
        return ps_error("name: is empty.", false);
    ps_json value = {0};
    ps_raw(&value, "{\"greeting\":\"Hello, ");
    ps_escaped(&value, name.at, name.length);
    ps_raw(&value, "!\"}");
    return ps_ok(value);
}

static ps_answer count(ps_value parameters, ps_value context)
{
    (void)context;
    ps_value name = ps_get(parameters, "name");
    ps_json get = {0};
    ps_raw(&get, "{\"do\":\"get\",\"key\":");
    ps_bytes(&get, name.at, name.length);
    ps_raw(&get, "}");
    ps_value known = ps_kv(get);
    if (ps_get(known, "error").at)
        return ps_refused(known);
    ps_json times = {0};
    ps_number(&times, ps_whole(ps_get(known, "ok"), 0) + 1);
    ps_json put = {0};
    ps_raw(&put, "{\"do\":\"put\",\"key\":");
    ps_bytes(&put, name.at, name.length);
    ps_raw(&put, ",\"value\":");
    ps_bytes(&put, times.at, times.length);
    ps_raw(&put, "}");
    ps_value kept = ps_kv(put);
    return ps_get(kept, "error").at ? ps_refused(kept) : ps_ok(times);
}

static ps_answer look(ps_value parameters, ps_value context)
{
    (void)context;
    ps_value url = ps_get(parameters, "url");
    ps_text address = ps_string(url);
    ps_log(PS_INFO, address.at, address.length);
    ps_json asked = {0};
    ps_raw(&asked, "{\"url\":");
    ps_bytes(&asked, url.at, url.length);
    ps_raw(&asked, "}");
    ps_value answer = ps_http(asked);
    if (ps_get(answer, "error").at)
        return ps_refused(answer);
    int64_t status = ps_whole(ps_get(ps_get(answer, "ok"), "status"), 0);
    if (status >= 500)
        return ps_error("the server is ill", true);
    ps_json value = {0};
    ps_raw(&value, status < 400 ? "true" : "false");
    return ps_ok(value);
}

PS_NODES({"greet", greet}, {"count", count}, {"look", look})
