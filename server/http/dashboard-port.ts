/** Where the dashboard is when nobody says otherwise. By itself, so that a command line can name it without loading a server. */
export const dashboardPort = 3340;
