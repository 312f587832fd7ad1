/** Every address of the dashboard. All are below the path of `<base href>`; pages but the list of tasks load when opened. */
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  type NavigateOptions,
} from "@tanstack/react-router";
import type { AuditFilter, TaskSearch } from "./api.ts";
import { Failure } from "./components/empty.tsx";
import type { HistoryChoice } from "./components/history-panel.tsx";
import { Shell } from "./components/shell.tsx";
import { NotFound } from "./pages/not-found.tsx";

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });

export const overviewRoute = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: (search: Record<string, unknown>): HistoryChoice => ({
    period: text(search.period),
    type: text(search.type),
    by: text(search.by),
  }),
  component: lazyRouteComponent(() => import("./pages/overview.tsx"), "Overview"),
});

export const tasksRoute = createRoute({
  getParentRoute: () => root,
  path: "/tasks",
  validateSearch: (search: Record<string, unknown>): TaskSearch => ({
    q: text(search.q),
    status: text(search.status),
    type: text(search.type),
    sort: text(search.sort),
  }),
  component: lazyRouteComponent(() => import("./pages/tasks.tsx"), "Tasks"),
});

export const taskRoute = createRoute({
  getParentRoute: () => root,
  path: "/tasks/$id",
  component: lazyRouteComponent(() => import("./pages/task.tsx"), "TaskView"),
});

const errors = createRoute({
  getParentRoute: () => root,
  path: "/errors",
  component: lazyRouteComponent(() => import("./pages/errors.tsx"), "Errors"),
});

const workers = createRoute({
  getParentRoute: () => root,
  path: "/workers",
  component: lazyRouteComponent(() => import("./pages/workers.tsx"), "Workers"),
});

const definitions = createRoute({
  getParentRoute: () => root,
  path: "/definitions",
  component: lazyRouteComponent(() => import("./pages/definitions.tsx"), "Definitions"),
});

export const auditRoute = createRoute({
  getParentRoute: () => root,
  path: "/audit",
  validateSearch: (search: Record<string, unknown>): AuditFilter => ({
    who: text(search.who),
    action: text(search.action),
    target: text(search.target),
  }),
  component: lazyRouteComponent(() => import("./pages/audit.tsx"), "Audit"),
});

export const enqueueRoute = createRoute({
  getParentRoute: () => root,
  path: "/definitions/$type/enqueue",
  /** `from` is a task whose payload to begin with. */
  validateSearch: (search: Record<string, unknown>): { from?: string | undefined } => ({
    from: text(search.from),
  }),
  component: lazyRouteComponent(() => import("./pages/enqueue.tsx"), "Enqueue"),
});

export const router = createRouter({
  routeTree: root.addChildren([
    overviewRoute,
    tasksRoute,
    taskRoute,
    errors,
    workers,
    definitions,
    auditRoute,
    enqueueRoute,
  ]),
  basepath: new URL(document.baseURI).pathname,
  defaultPreload: "intent",
  scrollRestoration: true,
  defaultErrorComponent: ({ error, reset }) => <Failure error={error as Error} onRetry={reset} />,
  parseSearch: (search) => Object.fromEntries(new URLSearchParams(search)),
  stringifySearch: (search) => {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(search)) {
      if (typeof value === "string" && value !== "") query.set(name, value);
    }
    return query.size > 0 ? `?${query}` : "";
  },
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

export type Destination = NavigateOptions<typeof router>["to"];

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
